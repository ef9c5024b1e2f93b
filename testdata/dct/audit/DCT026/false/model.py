KIND = {"_type": "Targets"}
