az resource update --ids "$ID" --set properties.policies.trustPolicy.status=disabled
