const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/(\b(?:sig|signature)=)[^&\s"'<>;]+/gi, "$1***"],
  [/(\b(?:AccountKey|SharedAccessSignature)=)[^;\s"']+/gi, "$1***"],
  [/(\bSharedKey(?:Lite)? [^\s:"']+:)[\w+/=]+/g, "$1***"],
  [/(\bBearer )[\w.~+/=-]+/g, "$1***"],
  [/(signature found in the HTTP request ')[^']*/g, "$1***"],
];

/**
 * The text without signatures, keys and tokens, which Azure's answers and addresses can carry.
 * @param text what the SDK calls a message, which can be whatever it found in an answer
 */
export function masked(text: unknown): string {
  return SECRETS.reduce((rest, [secret, shown]) => rest.replace(secret, shown), String(text));
}
