/** What a text must be: a regular expression's, or JSON of a schema. */
export { type Constraint, constraintOf, type Pieces } from "./constraint.js";
export { parsePattern } from "./regex.js";
export { schemaExpression } from "./schema.js";
