export {
  Access,
  allowsAnonymousWrite,
  defaultRules,
  includesRight,
  parseWho,
  type AccessRule,
  type Who,
} from "./access.ts";
export { ActionTokens, MIN_ACTION_SECRET_BYTES, type ActionGrant, type ActionOperation } from "./action-token.ts";
export { Authenticator, type AuthenticatorOptions } from "./authenticator.ts";
export { IdentityError, type IdentityErrorCode } from "./errors.ts";
export { DEFAULT_PASSWORD_CHECK_LIMITS, type PasswordCheckLimits } from "./password-checks.ts";
export { hashPassword, MAX_PASSWORD_BYTES } from "./password.ts";
export { parsePattern, type Pattern } from "./patterns.ts";
export { ANONYMOUS, type Principal } from "./principal.ts";
export { createToken, type TokenRequest } from "./token-secret.ts";
export { parseUserName } from "./user-name.ts";
