/** What an `Authorization` header carries, before anybody has checked it. */
export type Credentials =
  | { readonly scheme: "basic"; readonly user: string; readonly password: string }
  | { readonly scheme: "bearer"; readonly token: string };

// RFC 9110 section 11.4: a scheme in any case, spaces, and one token68.
const HEADER = /^(basic|bearer) +([A-Za-z0-9._~+/-]+=*)$/i;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Reads the header; undefined when it is malformed or of another scheme. Basic is UTF-8 as in RFC 7617, and the first
 * colon ends the user name.
 */
export function parseAuthorization(header: string): Credentials | undefined {
  const [, scheme, value] = HEADER.exec(header) ?? [];
  if (scheme === undefined || value === undefined) return undefined;
  if (scheme.toLowerCase() === "bearer") return { scheme: "bearer", token: value };
  const text = BASE64.test(value) ? decodeUtf8(Buffer.from(value, "base64")) : undefined;
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon === -1) return undefined;
  return { scheme: "basic", user: text.slice(0, colon), password: text.slice(colon + 1) };
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
