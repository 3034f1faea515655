// SPDX-License-Identifier: Apache-2.0

/// The one page: a list to vote from and a leader board, nothing loaded from elsewhere.
enum WebPage {
    static func text(message: String) -> String {
        page.replacing("{{message}}", with: escape(message))
    }

    private static func escape(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }

    private static let page = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Emoji vote</title>
        <style>
          body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
          #list { display: grid; grid-template-columns: repeat(auto-fill, minmax(3.2rem, 1fr)); gap: .4rem; }
          #list button { font-size: 1.6rem; padding: .3rem; border: 1px solid #ccc; border-radius: .4rem;
            background: none; cursor: pointer; }
          #list button:hover, #list button:focus { border-color: #06c; }
          #said { min-height: 1.5em; }
          .bad { color: #b00; }
          td { padding: 0 .8rem 0 0; }
        </style>
        </head>
        <body>
        <h1>{{message}}</h1>
        <p id="said" role="status">One of them never works. The mesh knows which.</p>
        <div id="list"></div>
        <h2>Leaders</h2>
        <button id="refresh">Refresh</button>
        <table id="leaders"></table>
        <script>
          const said = document.getElementById("said");
          const say = (text, bad) => { said.textContent = text; said.className = bad ? "bad" : ""; };
          const get = async path => {
            const response = await fetch(path);
            const body = await response.json();
            if (!response.ok) throw new Error(body.error || response.status);
            return body;
          };
          const vote = async emoji => {
            try {
              await get("/api/vote?choice=" + encodeURIComponent(emoji.shortcode));
              say("You voted for " + emoji.unicode);
              await leaders();
            } catch (error) { say("Voting for " + emoji.unicode + " failed: " + error.message, true); }
          };
          const leaders = async () => {
            const rows = (await get("/api/leaderboard")).slice(0, 20).map(leader => {
              const row = document.createElement("tr");
              for (const text of [leader.unicode, leader.votes]) row.insertCell().textContent = text;
              return row;
            });
            document.getElementById("leaders").replaceChildren(...rows);
          };
          document.getElementById("refresh").onclick = () => leaders().catch(error => say(error.message, true));
          get("/api/list").then(list => {
            document.getElementById("list").replaceChildren(...list.map(emoji => {
              const button = document.createElement("button");
              button.textContent = emoji.unicode;
              button.title = button.ariaLabel = emoji.shortcode;
              button.onclick = () => vote(emoji);
              return button;
            }));
            return leaders();
          }).catch(error => say(error.message, true));
        </script>
        </body>
        </html>
        """#
}
