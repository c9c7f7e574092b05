import { expect, test } from "vitest";
import { select } from "./index.js";

const names = [1, 10].flatMap((i) =>
  ["attn.c_attn.weight", "attn.c_attn.bias", "mlp.c_fc.weight"].map((n) => `h.${i}.${n}`),
);

test("whole parts of a name, globs and regular expressions select", () => {
  expect([...select(names, ["c_attn.weight"])]).toEqual(["h.1.attn.c_attn.weight", "h.10.attn.c_attn.weight"]);
  expect(select(names, ["h.1"]).size).toBe(3);
  expect([...select(names, ["h.*.mlp"])]).toEqual(["h.1.mlp.c_fc.weight", "h.10.mlp.c_fc.weight"]);
  expect(select(names, ["h.?"]).size).toBe(3);
  expect(select(names, ["**"]).size).toBe(6);
  expect([...select(names, [/bias$/g])]).toEqual(["h.1.attn.c_attn.bias", "h.10.attn.c_attn.bias"]);
  expect([...select(names, ["/10.*BIAS$/i", "h.1.mlp"])]).toEqual(["h.1.mlp.c_fc.weight", "h.10.attn.c_attn.bias"]);
});

test("a pattern that matches nothing is an error with the nearest names", () => {
  expect(() => select(names, ["mlp", "c_atn"])).toThrow(
    "no parameter matches c_atn\n  help: nearest: h.*.attn.c_attn.weight, h.*.attn.c_attn.bias, h.*.mlp.c_fc.weight",
  );
  expect(() => select(names, ["h.*.mlp.c_proj"], "matrix")).toThrow(
    "no matrix matches h.*.mlp.c_proj\n  help: nearest: h.*.mlp.c_fc.weight",
  );
  expect(() => select(names, [/query/])).toThrow("no parameter matches /query/");
  expect(() => select([], ["x"])).toThrow("no parameter matches x\n  help: there are none");
  expect(() => select(names, [])).toThrow("no pattern selects any parameter");
  expect(() => select(names, ["/(/"])).toThrow("/(/ is no regular expression");
});
