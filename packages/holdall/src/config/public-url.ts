import { ValueError } from "./errors.ts";

/**
 * Reads the URL by which clients reach the server: absolute, http or https, a path if need be, nothing else.
 * @returns the URL without a trailing slash, so that paths can be added
 * @throws ValueError
 */
export function parsePublicUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new ValueError("must be an absolute URL such as https://lfs.example.com");
  }
  // The text is not repeated: it may hold a password.
  if (url.username !== "" || url.password !== "") throw new ValueError("must not hold a user name or a password");
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(text)) throw new ValueError("must not hold a query or a #");
  return url.href.replace(/\/+$/, "");
}
