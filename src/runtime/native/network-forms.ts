/** Forms of the layers that have kernels of their own. */
import type { Form } from "./forms.js";

export const networkForms: Readonly<Record<string, Form>> = {};
