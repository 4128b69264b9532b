import { parseRepositoryName } from "@holdall/lfs-protocol";
import { IdentityError } from "./errors.ts";

/** A set of repositories, as access rules and tokens name it. Made by {@link parsePattern}. */
export interface Pattern {
  /** What the pattern was made from, without a trailing `.git`. */
  readonly text: string;
  /** Takes at most the product of both lengths in time; there is no backtracking. */
  matches(repository: string): boolean;
}

/**
 * Reads a repository pattern: a repository name in which `*` stands for any characters within one segment, and a segment
 * `**` for any number of whole segments: at the end one or more, elsewhere none as well.
 *
 * | pattern         | matches                                                     |
 * |-----------------|-------------------------------------------------------------|
 * | `team/app`      | that repository only                                        |
 * | `team/*`        | `team/app`, but not `team/app/docs`                         |
 * | `team/**`       | everything below `team`, but not a repository called `team` |
 * | `**`            | every repository                                            |
 *
 * @throws IdentityError `invalid` for a pattern that is malformed or that no repository name can match
 */
export function parsePattern(text: string): Pattern {
  const segments = text.split("/");
  const refuse = (reason: string): never => {
    throw new IdentityError("invalid", `${JSON.stringify(text)} is not a repository pattern: ${reason}`);
  };
  if (text === "") refuse('it is empty. Write a name such as "team/app", or "**" for all repositories.');
  if (segments.includes("")) refuse('it begins or ends with "/", or has "//". Separate segments with one "/".');
  for (const [index, segment] of segments.entries()) {
    if (segment === "**") {
      if (segments[index - 1] === "**") refuse('it repeats "**". One "**" stands for any number of segments.');
    } else if (segment.includes("**")) {
      refuse('"**" must be a segment of its own, as in "team/**". Within a segment use one "*".');
    }
  }
  const name = parseRepositoryName(text);
  if (name !== undefined) return new SegmentPattern(name);
  return refuse(
    "no repository can be called so. Segments do not begin with a dot, begin or end with white space, " +
      "hold control characters or backslashes, or exceed the length of a name.",
  );
}

/**
 * Both levels work alike. What stands between the wildcards has a fixed length; the first piece is tied to the start, the
 * last to the end, and each other one is taken at the first place where it fits, which leaves most room for the rest.
 */
class SegmentPattern implements Pattern {
  readonly text: string;
  /** The segments between the `**`: one run when there is none. */
  readonly #runs: readonly (readonly Segment[])[];

  constructor(text: string) {
    this.text = text;
    const runs: Segment[][] = [[]];
    for (const segment of text.split("/")) {
      if (segment === "**") runs.push([]);
      else runs.at(-1)?.push(new Segment(segment));
    }
    // At the end, "below" means at least one segment.
    if (text === "**" || text.endsWith("/**")) runs.at(-1)?.push(new Segment("*"));
    this.#runs = runs;
  }

  matches(repository: string): boolean {
    if (this.text === "**") return true;
    const segments = repository.split("/");
    const [first = [], ...others] = this.#runs;
    const last = others.pop();
    if (last === undefined) return segments.length === first.length && fits(first, segments, 0);
    const end = segments.length - last.length;
    if (end < first.length || !fits(first, segments, 0) || !fits(last, segments, end)) return false;
    let at = first.length;
    for (const run of others) {
      while (at + run.length <= end && !fits(run, segments, at)) at++;
      at += run.length;
      if (at > end) return false;
    }
    return true;
  }
}

function fits(run: readonly Segment[], segments: readonly string[], at: number): boolean {
  return run.every((segment, index) => segment.matches(segments[at + index] ?? ""));
}

/** One segment, in which `*` stands for any characters, none included. */
class Segment {
  readonly #first: string;
  readonly #middle: readonly string[];
  /** Undefined when there is no `*`. */
  readonly #last: string | undefined;

  constructor(text: string) {
    const [first = "", ...others] = text.split("*");
    this.#first = first;
    this.#last = others.pop();
    this.#middle = others;
  }

  matches(text: string): boolean {
    if (this.#last === undefined) return text === this.#first;
    const end = text.length - this.#last.length;
    if (end < this.#first.length || !text.startsWith(this.#first) || !text.endsWith(this.#last)) return false;
    let at = this.#first.length;
    for (const piece of this.#middle) {
      const found = text.indexOf(piece, at);
      if (found === -1) return false;
      at = found + piece.length;
      if (at > end) return false;
    }
    return true;
  }
}
