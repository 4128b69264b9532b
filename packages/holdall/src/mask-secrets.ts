const MASK = "***";

/**
 * Takes what must not be read by others out of a log line, wherever in it: header and field values by their names
 * (authorization, cookies, passwords, secrets, tokens, in any nesting), credentials by their form. One place for all that
 * is logged, so that no caller can forget it.
 * @param line JSON text; it stays JSON
 */
export function maskSecrets(line: string): string {
  if (!SUSPICIOUS.test(line)) return line;
  return maskText(line.replace(FIELD, `$1":"${MASK}"`));
}

/** A URL without tokens in its query, and without a user name and a password. */
export function safeUrl(url: string): string {
  return maskText(url);
}

function maskText(text: string): string {
  return text
    .replace(QUERY, `$1${MASK}`)
    .replace(SCHEME, `$1 ${MASK}`)
    .replace(USER_INFO, `//${MASK}@`)
    .replace(API_TOKEN, MASK)
    .replace(ACTION_TOKEN, MASK);
}

/** What is in every secret that the patterns below find. Most lines have none of it. */
const SUSPICIOUS = /oken|secret|password|signature|cookie|authorization|basic|bearer|remoteauth|\/\/|hld_|h1\./i;

// Each pattern starts with a literal that is rare, and none can backtrack over more than one word.
/** The end of a JSON member's name, and its value: a string or a list of strings. */
const FIELD =
  /(authorization|cookie|password|password_?hash|secret|token)":(?:"(?:[^"\\]|\\.)*"|\[(?:"(?:[^"\\]|\\.)*",?)*\])/gi;
/** `token=…`, also as `access_token=…` and with the name percent-encoded. */
const QUERY = /([?&;][\w%-]*(?:token|%74oken|secret|password|signature)=)[^&;#\s"'\\]+/gi;
/** The value of an Authorization header. */
const SCHEME = /\b(Basic|Bearer|RemoteAuth)\s+[A-Za-z0-9+/=._~-]+/gi;
const USER_INFO = /\/\/[^/?#\s"@]+@/g;
/** As identity makes them. */
const API_TOKEN = /\bhld_[0-9A-Za-z]{20,}/g;
const ACTION_TOKEN = /\bh1\.[0-9a-z]+\.[\w-]*\.[0-9a-z]*\.[\w-]{16,}/g;
