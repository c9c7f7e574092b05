/** Gradients. */
export { grad } from "./grad.js";
