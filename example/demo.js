"use strict";
// The page works without this script, but for what can go wrong, and for seeing the item change.

// A page that comes out of the browser's memory may be of a session that has ended.
addEventListener("pageshow", (event) => {
	if (event.persisted) location.reload();
});

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const post = (path, form = {}) => fetch(path, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });

// json returns the answer's JSON, and throws if it is no success.
async function json(answer) {
	if (!answer.ok) throw new Error(`the answer was ${answer.status || "a redirect"}`);
	return answer.json();
}

// The item and the costs.

const live = document.getElementById("live");

const values = () => new Map(Array.from(live.querySelectorAll("th[data-name]"),
	(name) => [name.dataset.name, name.nextElementSibling]));

let asked = 0;
let shown = "";
async function refresh() {
	const turn = ++asked;
	let text;
	try {
		text = await (await fetch("/live")).text();
	} catch {
		return; // the demo has stopped, or starts anew
	}
	if (turn !== asked || text === shown) return;
	const old = values();
	live.innerHTML = shown = text;
	for (const [name, value] of values()) {
		if (old.size && old.get(name)?.textContent !== value.textContent) value.classList.add("changed");
	}
}

setInterval(() => {
	if (!document.hidden) refresh();
}, 2500);

// What can go wrong. Each tells what it does, and returns how it ended.

// together sends many requests at once. Over HTTP/1.1, browsers have about six under way at a time.
async function together(say) {
	const n = 20;
	say(`${n} requests are sent. The browser has about six under way at a time.`);
	const answers = await Promise.allSettled(Array.from({ length: n },
		async (_, i) => json(await post("/mishaps/together", { n: i + 1 }))));
	const costs = answers.filter((a) => a.status === "fulfilled").map((a) => a.value);
	const sum = (what) => costs.reduce((total, cost) => total + cost[what], 0);
	say(`${costs.length} were answered. ${sum("merges")} found the session changed by others, and were merged with it. ` +
		`DynamoDB saw ${sum("requests")} requests, of ${+sum("units").toFixed(1)} units.`);
	const kept = await json(await post("/mishaps/together/count"));
	const good = kept.keys === n && kept.flashes === n;
	return [good, `${kept.keys} of ${n} keys and ${kept.flashes} of ${n} flashes are in the session. ${good ? "Nothing was lost." : "Some were lost."}`];
}

// slow logs out while a slow request is under way.
async function slow(say) {
	say("A slow request is sent. It loads the session, and saves it two seconds later.");
	const answered = post("/mishaps/slow").then(json);
	answered.catch(() => {}); // it is awaited below
	while (!(await json(await fetch("/mishaps/slow"))).underWay) {
		if (await Promise.race([answered.then(() => true, () => true), pause(50)])) break;
	}
	const logout = await post("/logout");
	if (logout.type !== "opaqueredirect") throw new Error(`the logout was answered by ${logout.status}`);
	say("Meanwhile, a logout: the session is deleted, and the browser drops its cookie.");
	const end = await answered;
	const good = end.gone && !end.cookie && !end.item;
	say(end.gone ? "The slow request saves: ErrGone." : "The slow request saved the session.");
	return [good, good ? "Nothing was written and no cookie was set: the session stayed ended." : "The session is back.", "Go on, logged out"];
}

// outage asks for this very page while every request for the session fails.
async function outage(say) {
	const facts = (page) => ({
		user: page.getElementById("user")?.textContent,
		visits: Number(page.getElementById("visits")?.textContent),
		cart: Number(page.getElementById("cart-count")?.textContent),
	});
	const before = facts(document);
	const { seconds } = await json(await post("/mishaps/outage"));
	const begin = performance.now();
	const passed = () => (performance.now() - begin) / 1000;
	const countdown = document.getElementById("countdown");
	const show = () => {
		const left = Math.ceil(seconds - passed());
		countdown.hidden = left <= 0;
		countdown.textContent = `DynamoDB fails for another ${left} s.`;
	};
	show();
	const clock = setInterval(show, 200);
	try {
		for (let refused = 0; refused < 60; refused++) {
			const answer = await fetch("/");
			if (answer.status === 503) {
				say(`After ${passed().toFixed(1)} s: 503, try again in ${answer.headers.get("Retry-After")} s.`);
				await pause(1000);
				continue;
			}
			if (!answer.ok) throw new Error(`the page was answered by ${answer.status}`);
			const after = facts(new DOMParser().parseFromString(await answer.text(), "text/html"));
			say(`After ${passed().toFixed(1)} s: 200.`);
			const good = refused > 0 && after.user === before.user && after.cart === before.cart && after.visits > before.visits;
			document.getElementById("visits").textContent = after.visits;
			const who = after.user === undefined ? "not logged in, as before" : `still logged in as ${after.user}`;
			return [good, good
				? `You are ${who}, with ${after.cart} in the cart, and visit ${after.visits} follows visit ${before.visits}. Nothing was lost.`
				: "Something was lost."];
		}
		throw new Error("DynamoDB does not come back");
	} finally {
		clearInterval(clock);
		countdown.hidden = true;
	}
}

const mishaps = { together, slow, outage };
const buttons = document.querySelectorAll("[data-mishap]");

let busy = false;
async function run(button) {
	if (busy) return;
	const log = document.getElementById(button.getAttribute("aria-controls"));
	const say = (text, kind = "step") => {
		const p = document.createElement("p");
		p.className = kind;
		p.textContent = text;
		log.append(p);
		return p;
	};
	const setBusy = (state) => {
		busy = state;
		// Not disabled, which would take the keyboard's place away.
		for (const b of buttons) b.setAttribute("aria-disabled", state);
	};
	log.replaceChildren();
	setBusy(true);
	try {
		const [good, verdict, goOn] = await mishaps[button.dataset.mishap](say);
		say(verdict, good ? "verdict good" : "verdict bad");
		if (goOn) {
			const link = document.createElement("a");
			link.href = "/";
			link.textContent = goOn;
			say("").append(link);
		}
	} catch (error) {
		say(`It could not be tried: ${error.message}.`, "verdict bad");
	} finally {
		setBusy(false);
		refresh();
	}
}

for (const button of buttons) {
	if ("unavailable" in button.dataset) continue;
	button.disabled = false;
	button.addEventListener("click", () => run(button));
}
