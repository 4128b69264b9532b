import { leaf, node } from "./xml.ts";

/** Status and words by code. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html */
const ERRORS = {
  AccessDenied: [403, "Access Denied"],
  AuthorizationHeaderMalformed: [400, "The authorization header that you provided is not valid."],
  AuthorizationQueryParametersError: [400, "The query parameters of the signature are not valid."],
  BadDigest: [400, "The digest or checksum that you specified did not match what was received."],
  EntityTooSmall: [400, "Your proposed upload is smaller than the minimum allowed size."],
  InternalError: [500, "We encountered an internal error. Please try again."],
  InvalidAccessKeyId: [403, "The access key ID that you provided does not exist in our records."],
  InvalidArgument: [400, "Invalid argument."],
  InvalidDigest: [400, "The digest or checksum that you specified is not valid."],
  InvalidPart: [400, "One or more of the specified parts could not be found, or had another entity tag."],
  InvalidPartOrder: [400, "The list of parts was not in ascending order."],
  InvalidRange: [416, "The requested range is not satisfiable."],
  InvalidRequest: [400, "Invalid request."],
  InvalidToken: [400, "The provided token is malformed or otherwise invalid."],
  KeyTooLongError: [400, "Your key is too long."],
  MalformedXML: [400, "The XML that you provided was not well formed or did not validate."],
  MissingContentLength: [411, "You must provide the Content-Length HTTP header."],
  NoSuchBucket: [404, "The specified bucket does not exist."],
  NoSuchKey: [404, "The specified key does not exist."],
  NoSuchUpload: [404, "The specified upload does not exist, or was aborted or completed."],
  NotImplemented: [501, "Your request implies functionality that is not implemented."],
  PreconditionFailed: [412, "At least one of the preconditions that you specified did not hold."],
  RequestTimeTooSkewed: [403, "The difference between the request time and the server's time is too large."],
  SignatureDoesNotMatch: [403, "The signature that we calculated does not match the signature that you provided."],
  XAmzContentSHA256Mismatch: [400, "The provided x-amz-content-sha256 header does not match what was computed."],
} as const satisfies Readonly<Record<string, readonly [status: number, message: string]>>;

/** A request is refused. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  readonly code: keyof typeof ERRORS;
  readonly status: number;
  /** Elements of the answer beside code and message. */
  readonly details: Readonly<Record<string, string>>;

  constructor(code: keyof typeof ERRORS, details: Readonly<Record<string, string>> = {}, message?: string) {
    super(message ?? ERRORS[code][1]);
    this.code = code;
    this.status = ERRORS[code][0];
    this.details = details;
  }
}

/** The body of an answer that is an error. */
export function errorXml(
  code: string,
  message: string,
  requestId: string,
  details: Readonly<Record<string, string>> = {},
): string {
  const all = { Code: code, Message: message, ...details, RequestId: requestId };
  const elements = Object.entries(all).map(([name, text]) => leaf(name, text));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${node("Error", elements)}`;
}
