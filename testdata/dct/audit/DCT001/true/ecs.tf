resource "aws_ecs_task_definition" "builder" {
  container_definitions = jsonencode([{
    name  = "builder"
    environment = [
      { name = "DOCKER_CONTENT_TRUST", value = "1" },
    ]
  }])
}
