if "%DOCKER_CONTENT_TRUST%"=="1" exit /b 1
