/** What a request asks for, as policies see it. */
export interface Permission {
  /** As in `s3:GetObject`. */
  readonly action: string;
  /** As in `arn:aws:s3:::bucket/key`. */
  readonly resource: string;
  /** What policies know as `s3:prefix`; undefined where the request has none. */
  readonly prefix?: string | undefined;
}

interface Statement {
  readonly actions: readonly RegExp[];
  readonly resources: readonly RegExp[];
  /** What `s3:prefix` has to be like; undefined without that condition. */
  readonly prefixes: readonly RegExp[] | undefined;
}

/**
 * What a user may do, as policies of IAM say it: statements that allow actions on resources, perhaps below a prefix
 * only. Whatever else they may say is refused, rather than overlooked.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
 */
export class Policy {
  readonly #statements: readonly Statement[];

  /** @throws Error for what is no such policy */
  constructor(document: unknown) {
    const { Version, Statement, ...rest } = objectIn(document, "a policy");
    refuse(rest, "a policy");
    if (Version !== "2012-10-17") throw new Error(`a policy of the version ${JSON.stringify(Version)}`);
    this.#statements = [Statement].flat().map(readStatement);
  }

  allows({ action, resource, prefix }: Permission): boolean {
    return this.#statements.some(
      ({ actions, resources, prefixes }) =>
        fits(actions, action) &&
        fits(resources, resource) &&
        (prefixes === undefined || (prefix !== undefined && fits(prefixes, prefix))),
    );
  }
}

function readStatement(statement: unknown): Statement {
  const { Sid: _, Effect, Action, Resource, Condition, ...rest } = objectIn(statement, "a statement");
  refuse(rest, "a statement");
  if (Effect !== "Allow") throw new Error(`a statement with the effect ${JSON.stringify(Effect)}`);
  return {
    // Actions are the same in any case.
    actions: patterns(Action, "i"),
    resources: patterns(Resource, ""),
    prefixes: Condition === undefined ? undefined : prefixesIn(Condition),
  };
}

function prefixesIn(condition: unknown): RegExp[] {
  const { StringLike, ...others } = objectIn(condition, "a condition");
  const { "s3:prefix": prefixes, ...keys } = objectIn(StringLike, "StringLike");
  refuse({ ...others, ...keys }, "a condition");
  return patterns(prefixes, "");
}

function objectIn(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error(`${what} is missing, or no object`);
  return { ...value };
}

function refuse(rest: object, what: string): void {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new Error(`${what} with ${unknown}, which is unknown here`);
}

/** A star stands for any text, a question mark for any character. */
function patterns(value: unknown, flags: string): RegExp[] {
  return [value].flat().map((text) => {
    if (typeof text !== "string") throw new Error(`${JSON.stringify(text)} where a policy has text`);
    const pattern = text
      .replace(/[.+^${}()|[\]\\/]/g, "\\$&")
      .replaceAll("*", ".*")
      .replaceAll("?", ".");
    return new RegExp(`^${pattern}$`, `s${flags}`);
  });
}

function fits(patterns: readonly RegExp[], text: string): boolean {
  return patterns.some((pattern) => pattern.test(text));
}
