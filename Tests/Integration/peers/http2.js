// SPDX-License-Identifier: Apache-2.0
// Node's own HTTP/2, without TLS. `http2.js serve PORT`; `http2.js ask URL` makes many requests and prints what came.
const http2 = require("http2");
const crypto = require("crypto");

function serve(port) {
  const server = http2.createServer({ maxSessionMemory: 100 });
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const path = headers[":path"];
    if (path === "/echo") {
      stream.respond({ ":status": 200, "x-method": headers[":method"], "x-sent": headers["x-sent"] || "" });
      stream.pipe(stream);
    } else if (path === "/trailers") {
      stream.respond({ ":status": 200 }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "5" }));
      for (let index = 0; index < 5; index++) stream.write("part " + index + "\n");
      stream.end();
    } else if (path === "/early") {
      stream.additionalHeaders({ ":status": 103, link: "</style.css>" });
      stream.respond({ ":status": 200 });
      stream.end("late\n");
    } else if (path === "/reset") {
      stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
    } else if (path === "/fail") {
      stream.respond({ ":status": 500 });
      stream.end("broken\n");
    } else if (path === "/never") {
      // The other end gives up.
    } else {
      stream.respond({ ":status": 200, "content-type": "text/plain" });
      stream.end("node says hello\n");
    }
  });
  server.listen(port, "0.0.0.0");
}

function exchange(session, headers, body, cancelAfter) {
  return new Promise((resolve) => {
    const stream = session.request(headers, { endStream: body === undefined });
    const result = { chunks: [], interim: [] };
    stream.on("headers", (fields) => result.interim.push(fields[":status"]));
    stream.on("response", (fields) => { result.status = fields[":status"]; result.sent = fields["x-sent"]; });
    stream.on("trailers", (fields) => { result.trailers = fields["x-sum"]; });
    stream.on("data", (chunk) => result.chunks.push(chunk));
    stream.on("error", (error) => { result.error = error.code; });
    stream.on("close", () => resolve({
      status: result.status, sent: result.sent, interim: result.interim, trailers: result.trailers, error: result.error,
      code: stream.rstCode, body: Buffer.concat(result.chunks) }));
    if (body !== undefined) stream.end(body);
    if (cancelAfter) setTimeout(() => stream.close(http2.constants.NGHTTP2_CANCEL), cancelAfter);
  });
}

async function ask(url) {
  const session = http2.connect(url, { maxSessionMemory: 100 });
  for (const path of ["/", "/trailers", "/early", "/fail", "/reset"]) {
    const answer = await exchange(session, { ":path": path });
    console.log(path, answer.status, answer.interim, answer.trailers, answer.error, answer.code, answer.body.toString());
  }
  const cancelled = await exchange(session, { ":path": "/never" }, undefined, 50);
  console.log("/never", cancelled.status, cancelled.code);
  const bodies = Array.from({ length: 100 }, (_, index) => crypto.randomBytes(index * 1777));
  const answers = await Promise.all(bodies.map((body, index) =>
    exchange(session, { ":path": "/echo", ":method": "POST", "x-sent": "n" + index }, body)));
  console.log(answers.filter((answer, index) => answer.status === 200 && answer.sent === "n" + index &&
    answer.body.equals(bodies[index])).length, "of 100 echoed");
  const big = crypto.randomBytes(20000000);
  console.log((await exchange(session, { ":path": "/echo", ":method": "POST" }, big)).body.equals(big));
  await new Promise((resolve) => session.ping(Buffer.from("12345678"), (error, took, payload) => {
    console.log(error, payload.toString());
    resolve();
  }));
  session.close();
}

if (process.argv[2] === "serve") serve(Number(process.argv[3]));
else ask(process.argv[3]);
