/** The command line: `plinth <command>`, and the types of its configuration files. */
export { type Config, defineConfig } from "./config.js";
export { main } from "./main.js";
