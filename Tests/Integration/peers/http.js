// SPDX-License-Identifier: Apache-2.0
// Node's own HTTP server with the answers that tests ask for.
const http = require("http");
http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    if (request.url === "/chunked") {
      response.writeHead(200, { Trailer: "x-sum" });
      for (let index = 0; index < 5; index++) response.write("part " + index + "\n");
      response.addTrailers({ "x-sum": "5" });
      response.end();
    } else if (request.url === "/echo") {
      response.writeHead(200, { "content-length": body.length, "x-method": request.method });
      response.end(body);
    } else if (request.url === "/fail") {
      response.writeHead(500);
      response.end("broken\n");
    } else {
      response.end("node says hello\n");
    }
  });
}).listen(8082, "0.0.0.0");
