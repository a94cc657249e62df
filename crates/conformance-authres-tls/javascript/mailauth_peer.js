"use strict";

/* mailauth as a peer: reads a JSON list of values of Authentication-Results, and prints what it reads of each, in the form of
 * authres_peer.py. Its reader of the field is `parseDkimHeaders`, by which it reads ARC-Authentication-Results, too. Of a
 * method other than dkim it keeps the last result alone, and it refuses nothing. With --version, it prints the version. */

const { createRequire } = require("node:module");
const path = require("node:path");

const installed = createRequire(path.resolve(__dirname, "../../../target/node") + path.sep);
const { parseDkimHeaders } = installed("mailauth/lib/tools");

/** Returns the properties as triples; a name without a ptype has null in its place. */
function properties(entry) {
    const found = [];
    const add = (names, value) => {
        if (typeof value === "object" && value !== null) {
            for (const [name, inner] of Object.entries(value)) {
                add([...names, name], inner);
            }
            return;
        }
        const [ptype, ...property] = names;
        found.push(property.length ? [ptype, property.join("."), String(value)] : [null, ptype, String(value)]);
    };
    for (const [name, value] of Object.entries(entry)) {
        if (!["value", "comment", "reason"].includes(name)) {
            add([name], value);
        }
    }
    return found;
}

function read(value) {
    const { header, value: id, ...methods } = parseDkimHeaders(`Authentication-Results: ${value}`).parsed;
    const results = [];
    for (const [method, entries] of Object.entries(methods)) {
        for (const entry of [entries].flat()) {
            if (method !== "none") {
                const reason = typeof entry.reason === "string" ? entry.reason : null;
                results.push({ method, result: String(entry.value), reason, properties: properties(entry) });
            }
        }
    }
    return { authserv_id: id ?? null, results };
}

if (process.argv[2] === "--version") {
    console.log(`mailauth ${installed("mailauth/package.json").version}`);
} else {
    let text = "";
    process.stdin.setEncoding("utf8");
    process.stdin.on("data", part => (text += part));
    process.stdin.on("end", () => process.stdout.write(JSON.stringify(JSON.parse(text).map(read))));
}
