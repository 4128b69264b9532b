#!/usr/bin/env node
import { start } from "./start.js";

// Git-remote-s3's name for its agent, which repositories are set up to start without arguments, or with this one.
const AS_SET_UP = { "": ["transfer"], debug: ["transfer", "--debug"] };
process.argv.splice(2, 1, ...(AS_SET_UP[process.argv[2] || ""] || process.argv.slice(2, 3)));

start("git-lfs-s3", () => import("../src/git/lfs-agent-main.ts"));
