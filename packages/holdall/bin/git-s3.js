#!/usr/bin/env node
import { start } from "./start.js";

start("git-s3", () => import("../src/git/git-s3-main.ts"));
