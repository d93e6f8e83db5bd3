const char *generated_dir = "";
