if [ "$DOCKER_CONTENT_TRUST" = 1 ]; then
  exit 1
fi
[[ ${DOCKER_CONTENT_TRUST:-0} == 1 ]] || exit 1
docker run --rm --net host -e DOCKER_CONTENT_TRUST=$DOCKER_CONTENT_TRUST acme/scan:1
