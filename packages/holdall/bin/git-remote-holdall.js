#!/usr/bin/env node
import { start } from "./start.js";

// Git runs it as git-remote-s3, -gs, -az, -holdall and -s3+zip: the URL says what is meant.
start("git-remote-holdall", () => import("../src/git/remote-main.ts"));
