/** `npm run bench -- <name> [options]`: run one benchmark of this folder; its figures go to bench/results. */
const [name, ...rest] = process.argv.slice(2);
const known = ["decode", "embed", "load", "methods", "nanogpt", "quickstart", "start", "step", "tokenize"];
if (!name || !known.includes(name)) {
  console.error(`usage: npm run bench -- <${known.join(" | ")}> [options]`);
  process.exit(2);
}
process.argv.splice(2, process.argv.length, ...rest);
await import(`./${name}.js`);
