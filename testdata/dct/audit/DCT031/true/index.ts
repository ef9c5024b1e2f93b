const settings = { trustPolicyEnabled: true };
