import { after } from "node:test";
import { S3TestServer } from "../../../../test/support/s3-test-server/server.ts";
import { s3Contracts } from "./fixtures/contracts.ts";

// Without the deviations of versitygw: what that takes, this takes, and it keeps to S3 where that does not.
const server = await S3TestServer.start();
after(() => server[Symbol.asyncDispose]());
Object.assign(process.env, server.env);
s3Contracts("the test server", server);
