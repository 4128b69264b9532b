import { dirname } from "node:path";
import { Type, type TArray, type TObject, type TSchema } from "typebox";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from "yaml";
import { configSchema } from "./schema.ts";
import { ValueError } from "./errors.ts";
import { interpolate } from "./interpolate.ts";
import { KEYS } from "./keys.ts";
import { nearest } from "./nearest.ts";
import type { Settings, Source } from "./settings.ts";
import { located } from "./text-sources.ts";
import { fromText, readValue } from "./values.ts";

/** Reads a configuration file. Every problem is told with its line and column; relative paths start at the file. */
export function readYaml(text: string, o: { file: string; shown: string; env: NodeJS.ProcessEnv }): Source {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const reader = new YamlReader(document, lines, o);
  for (const error of document.errors) {
    reader.problem(error.pos[0], error.message.replace(/[.:]?\s*$/, "").replaceAll(/\s*\n\s*/g, " "));
  }
  // A file that is not YAML has no values to trust.
  if (document.errors.length === 0 && document.contents !== null)
    reader.readSection(configSchema, document.contents, "");
  return reader;
}

interface Read {
  readonly raw: unknown;
  readonly value: unknown;
}

class YamlReader implements Source {
  readonly settings: Settings = new Map();
  readonly problems: string[] = [];
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #shown: string;
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(document: Document, lines: LineCounter, o: { file: string; shown: string; env: NodeJS.ProcessEnv }) {
    this.#document = document;
    this.#lines = lines;
    this.#shown = o.shown;
    this.#folder = dirname(o.file);
    this.#env = o.env;
  }

  problem(offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push(`${this.#shown}:${line}:${col}: ${message}`);
  }

  readSection(schema: TObject, node: Node, path: string): void {
    // A section whose keys are all commented out.
    if (isScalar(node) && node.value === null) return;
    for (const { name, child, value } of this.#pairs(schema, node, path)) {
      const childPath = join(path, name);
      if (Type.IsObject(child)) {
        this.readSection(child, value, childPath);
        continue;
      }
      const read = this.#read(child, value, childPath);
      const { line } = this.#lines.linePos(offsetOf(value));
      if (read) this.settings.set(childPath, { ...read, origin: { kind: "file", file: this.#shown, line } });
    }
  }

  #read(schema: TSchema, node: Node, path: string): Read | undefined {
    if (Type.IsArray(schema)) return this.#readList(schema, node, path);
    if (Type.IsObject(schema)) return this.#readRecord(schema, node, path);
    if (!isScalar(node)) return this.#refuse(node, path, "must be a single value, not a list or a map");
    if (node.value === null) return this.#refuse(node, path, NO_VALUE);
    try {
      const text = typeof node.value === "string" ? interpolate(node.value, this.#env) : undefined;
      const raw = located(schema, text === undefined ? node.value : fromText(schema, text), this.#folder);
      return { raw, value: readValue(schema, raw) };
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      return this.#refuse(node, path, error.message);
    }
  }

  #readList(schema: TArray, node: Node, path: string): Read | undefined {
    if (!isSeq<Node>(node))
      return this.#refuse(node, path, 'must be a list: one line for each item, starting with "- "');
    const items = node.items.map((item, index) => this.#read(schema.items, this.#resolve(item), `${path}[${index}]`));
    const complete = items.filter((item) => item !== undefined);
    if (complete.length < items.length) return undefined;
    return { raw: complete.map(({ raw }) => raw), value: complete.map(({ value }) => value) };
  }

  /** An item of a list that is a map; unlike a section it has no defaults. */
  #readRecord(schema: TObject, node: Node, path: string): Read | undefined {
    const raw: Record<string, unknown> = {};
    const value: Record<string, unknown> = {};
    const missing = new Set(schema.required);
    const problems = this.problems.length;
    for (const pair of this.#pairs(schema, node, path)) {
      missing.delete(pair.name);
      const read = this.#read(pair.child, pair.value, join(path, pair.name));
      raw[pair.name] = read?.raw;
      value[pair.name] = read?.value;
    }
    if (this.problems.length > problems) return undefined;
    if (missing.size > 0) return this.#refuse(node, path, `lacks ${[...missing].join(", ")}`);
    return { raw, value };
  }

  /** The known pairs of a map; the others are problems. */
  *#pairs(schema: TObject, node: Node, path: string): Generator<{ name: string; child: TSchema; value: Node }> {
    if (!isMap<Node, Node | null>(node)) {
      this.#refuse(node, path, `must be a map with ${Object.keys(schema.properties).join(", ")}`);
      return;
    }
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "";
      const child = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
      if (child === undefined) {
        const known = [...Object.keys(schema.properties).map((sibling) => join(path, sibling)), ...PATHS];
        const found = nearest(join(path, name), known);
        this.problem(offsetOf(key), `unknown key ${join(path, name)}; the nearest known key is ${found}`);
      } else if (value === null) {
        this.#refuse(key, join(path, name), NO_VALUE);
      } else {
        yield { name, child, value: this.#resolve(value) };
      }
    }
  }

  #resolve(node: Node): Node {
    return isAlias(node) ? (node.resolve(this.#document) ?? node) : node;
  }

  #refuse(node: Node, path: string, message: string): undefined {
    this.problem(offsetOf(node), path === "" ? message : `${path}: ${message}`);
  }
}

const NO_VALUE = "has no value; give it one, or remove the line";
const PATHS: readonly string[] = KEYS.map(({ path }) => path);

function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
