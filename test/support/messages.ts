import assert from "node:assert/strict";
import { ErrorResponse } from "@holdall/lfs-protocol";
import type { Static, TSchema } from "typebox";
import { Value } from "typebox/value";
import type { Answer } from "./http.ts";

/** What git-lfs takes for JSON, letter by letter, narrowed to the type of the LFS API. */
const MEDIA_TYPE = /^application\/vnd\.git-lfs\+json(;|$)/;

/** The message in an answer, which must have this status, the LFS media type, and the schema's form. */
export function message<T extends TSchema>(schema: T, status: number, answer: Answer): Static<T> {
  const text = answer.body.toString();
  assert.equal(answer.status, status, text);
  assert.match(answer.headers["content-type"] ?? "", MEDIA_TYPE);
  assert.equal(answer.headers["content-length"], String(answer.body.length));
  const value: unknown = JSON.parse(text);
  if (Value.Check(schema, value)) return value;
  assert.fail(`not of the form that the API prescribes: ${text}\n${JSON.stringify(Value.Errors(schema, value))}`);
}

/** The error in an answer, complete as every error of ours is. */
export function refusal(status: number, answer: Answer): Required<ErrorResponse> {
  const { message: said, request_id: id, documentation_url: url } = message(ErrorResponse, status, answer);
  assert.ok(said !== "" && id !== undefined && url !== undefined, answer.body.toString());
  return { message: said, request_id: id, documentation_url: url };
}
