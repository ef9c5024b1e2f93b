HELP = """Usage:
  docker trust sign IMAGE
"""
