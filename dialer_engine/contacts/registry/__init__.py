"""Reading registries: the files that registries hand out, refused whole when anything about them is wrong."""
