export { writeBundle } from "./bundle-file.ts";
export { changeRef, uploadBundle, type Archive } from "./change-ref.ts";
export {
  diagnose,
  planRepairs,
  type BundleFinding,
  type BundleRepair,
  type DiagnosisOptions,
  type FoundBundle,
} from "./doctor.ts";
export { fetchBundles } from "./fetch.ts";
export { initHead } from "./head.ts";
export { importBundles, type ImportOptions, type ImportReport, type ImportStep } from "./import.ts";
export { whyUnfit } from "./layout.ts";
export { hasBundles, headOf, readBundles, readHead, type BundleEntry, type BundleListing } from "./listing.ts";
export { LOCK_TTL, requireLocks, requireRemoval, type LockOptions } from "./lock.ts";
export { deleteRef, protectRef, setHead, unprotectRef } from "./manage.ts";
export { removeBundles, type RemovalOptions } from "./remove-bundles.ts";
export { repair, type RepairReport } from "./repair.ts";
