import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contentDisposition, readDownloadName } from "./download-name.ts";

const header = (filename: unknown, disposition?: unknown): string | undefined => {
  const name = readDownloadName(filename, disposition);
  return name && contentDisposition(name);
};

test("a name and a disposition become a header", () => {
  assert.equal(header("model.bin"), 'attachment; filename="model.bin"');
  assert.equal(header("model.bin", "inline"), 'inline; filename="model.bin"');
  assert.equal(header(undefined, "inline"), "inline");
  assert.equal(header("a b.bin", 'Attachment; filename="other"'), 'attachment; filename="a b.bin"');
  assert.equal(header("día 1.bin"), "attachment; filename=\"d_a 1.bin\"; filename*=UTF-8''d%C3%ADa%201.bin");
  assert.equal(
    header("it's (1)*.bin%"),
    "attachment; filename=\"it's (1)*.bin_\"; filename*=UTF-8''it%27s%20%281%29%2A.bin%25",
  );
});

test("folders and what could deceive are left out of a name", () => {
  assert.equal(header("../../etc/passwd"), 'attachment; filename="passwd"');
  assert.equal(header("C:\\Users\\x\\a.bin"), 'attachment; filename="a.bin"');
  assert.equal(
    header('a"; filename=b\r\nSet-Cookie: x'),
    "attachment; filename=\"a_; filename=bSet-Cookie: x\"; filename*=UTF-8''a%22%3B%20filename%3DbSet-Cookie%3A%20x",
  );
  assert.equal(header("photo\u202egpj.exe"), 'attachment; filename="photogpj.exe"');
  assert.ok((header("x".repeat(10_000_000)) ?? "").length < 300);
});

test("what asks for nothing is nothing", () => {
  for (const filename of [undefined, null, 7, {}, "", " ", "/", "..", "a/", "\n"]) {
    assert.equal(header(filename, "other"), undefined, JSON.stringify(filename));
  }
});

test("whatever is asked for, the header is one line of ASCII that says one name", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 600 }), fc.string(), (filename, disposition) => {
      const text = header(filename, disposition);
      if (text === undefined) return;
      assert.match(
        text,
        /^(?:attachment|inline)(?:; filename="[^"\\]*"(?:; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+)?)?$/,
      );
      assert.match(text, /^[\x20-\x7e]*$/);
    }),
  );
});
