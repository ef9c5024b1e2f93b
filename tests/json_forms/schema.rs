//! The schemas of docs/schemas/, and what can be read off them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde_json::Value;

/// Every schema, by its name.
pub(super) fn all() -> BTreeMap<String, Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas");
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let name =
            name.strip_suffix(".schema.json").unwrap_or_else(|| panic!("{name} is no schema"));
        let schema = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
        (name.to_owned(), schema)
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}

/// What is wrong with a value, as the schema has it; nothing where it is valid.
pub(super) fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(schema).unwrap();
    let fault =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    validator.iter_errors(value).map(fault).collect()
}

/// Every member that a schema knows, at whatever depth: `signatures`, `signatures[].manifest`.
pub(super) fn members(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect(schema, schema, "", &mut found);
    found
}

fn collect(root: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        collect(root, &root["$defs"][name], path, found);
    }
    for choice in ["anyOf", "oneOf"].iter().filter_map(|word| schema[*word].as_array()).flatten() {
        collect(root, choice, path, found);
    }
    if schema["items"].is_object() {
        collect(root, &schema["items"], &format!("{path}[]"), found);
    }
    for (name, member) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(root, member, &path, found);
        found.insert(path);
    }
}
