println!("docker trust sign {image}");
const WHY: &str = "images were signed by docker trust sign";
