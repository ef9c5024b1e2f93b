func TestSign(t *testing.T) { t.Log("docker trust sign x"); t.Fatalf("docker trust sign %s", x) }
