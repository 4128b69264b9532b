export { isDenied } from "@holdall/git-store";
