/** Where a value came from. */
export type Origin =
  | { readonly kind: "default" }
  | { readonly kind: "file"; readonly file: string; readonly line: number }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "flag"; readonly name: string };

/** One key's value: as a file would spell it, and read. */
export interface Setting {
  readonly raw: unknown;
  readonly value: unknown;
  readonly origin: Origin;
}

/** By the path of the key. */
export type Settings = Map<string, Setting>;

/** What one source says: the values that could be read, and a line for each that could not. */
export interface Source {
  readonly settings: Settings;
  readonly problems: readonly string[];
}

/** For people: `default`, `/etc/holdall.yaml:3`, `HOLDALL_LISTEN`, `--listen`. */
export function formatOrigin(origin: Origin): string {
  switch (origin.kind) {
    case "default":
      return "default";
    case "file":
      return `${origin.file}:${origin.line}`;
    case "variable":
    case "flag":
      return origin.name;
  }
}
