if (process.env.DOCKER_CONTENT_TRUST) {
}
