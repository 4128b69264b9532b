import assert from "node:assert/strict";
import { test } from "node:test";
import { markdownTable, replaceBetweenMarkers } from "./markdown.ts";

test("a cell cannot break its table", () => {
  const table = markdownTable([{ text: "a|b\nc" }], [{ title: "text", cell: ({ text }) => text }]);
  assert.equal(table, "| text |\n|---|\n| a\\|b c |");
});

test("only what is between the markers is replaced", () => {
  const page = "before\n<!-- one -->\nold\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\nafter\n";
  const replaced = replaceBetweenMarkers(page, "one", "new $1 $&");
  assert.equal(
    replaced,
    "before\n<!-- one -->\nnew $1 $&\n<!-- /one -->\nbetween\n<!-- two -->\nkept\n<!-- /two -->\nafter\n",
  );
  assert.equal(replaceBetweenMarkers(replaced, "one", "new $1 $&"), replaced);
});

for (const [what, page] of [
  ["no markers", "text"],
  ["no end", "<!-- one --> text"],
  ["the end first", "<!-- /one --> <!-- one -->"],
  ["two of them", "<!-- one --><!-- /one --><!-- one --><!-- /one -->"],
] as const) {
  test(`a page with ${what} is left alone`, () => {
    assert.throws(() => replaceBetweenMarkers(page, "one", "new"), /once each/);
  });
}
