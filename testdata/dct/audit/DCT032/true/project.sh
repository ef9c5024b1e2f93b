curl -X PUT "$HARBOR/api/v2.0/projects/acme" -d '{"metadata": {"enable_content_trust": "true"}}'
curl -X PUT "$HARBOR/api/v2.0/projects/acme" -d "{\"metadata\": {\"enable_content_trust\": \"true\"}}"
