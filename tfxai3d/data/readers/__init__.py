"""Files of objects: meshes, clouds and grids in the formats people have."""
