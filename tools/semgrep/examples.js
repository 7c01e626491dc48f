// What the rules in rules.yaml must find (`ruleid`) and must leave alone (`ok`). Nobody runs this.

// ruleid: no-html-from-text
element.innerHTML = `<b>${memo}</b>`;
// ruleid: no-html-from-text
element.insertAdjacentHTML("beforeend", memo);
// ruleid: no-html-from-text
const run = new Function(text);
// ok: no-html-from-text
element.textContent = memo;

// ruleid: no-session-in-storage
localStorage.setItem("token", session.token);
// ruleid: no-session-in-storage
document.cookie = `token=${token}`;
// ok: no-session-in-storage
localStorage.setItem(SIGNED_KEY, String(count));
// ok: no-session-in-storage
await store.put("settings", { language });

// ruleid: chance-in-the-browser-is-cryptographic
const nonce = Math.random();
// ok: chance-in-the-browser-is-cryptographic
const nonce = crypto.getRandomValues(new Uint8Array(8));
