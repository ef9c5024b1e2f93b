package main

// docker trust sign
func main() {
	fmt.Println("docker trust sign")
	/* docker trust sign */
}
