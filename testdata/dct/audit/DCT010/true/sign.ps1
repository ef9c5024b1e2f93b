& docker.exe trust sign $image
docker `
  trust sign $image
