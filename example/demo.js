"use strict";
// Everything on the page works without this script. With it, the keyboard and the eye stay where
// they were when a form brings a new page, and the page shows what other windows do to its session.

// A page that the browser kept may be of a session that has ended.
addEventListener("pageshow", (event) => {
	if (event.persisted) location.reload();
});

// A form brings a new page, in which its button is where it was on the screen, and has the focus.
// If the button is gone, that goes for its section.
addEventListener("submit", ({ submitter, target }) => {
	const places = [submitter, target.closest("section")].map((e) => [e.id, e.getBoundingClientRect().top]);
	sessionStorage.setItem("places", JSON.stringify(places));
});
const places = JSON.parse(sessionStorage.getItem("places") ?? "[]");
sessionStorage.removeItem("places");
const place = places.find(([id]) => document.getElementById(id));
if (place) {
	const [id, top] = place;
	const element = document.getElementById(id);
	if (element.localName === "section") element.tabIndex = -1;
	// Not before the browser has scrolled to the fragment of the address.
	addEventListener("load", () => requestAnimationFrame(() => {
		element.focus({ preventScroll: true });
		scrollBy(0, element.getBoundingClientRect().top - top);
	}));
}

// The session as it is in the table.
const live = document.getElementById("live");
const values = () => new Map(Array.from(live?.querySelectorAll("[data-name]") ?? [], (e) => [e.dataset.name, e.textContent]));
const id = values().get("id");
let shown = "";

async function refresh() {
	if (document.hidden) return;
	let text;
	try {
		const answer = await fetch("/live");
		text = await answer.text();
	} catch {
		return; // the demo has stopped, or is starting again
	}
	if (text === shown) return;
	const before = values();
	const open = live.querySelector("details")?.open ?? false;
	const focused = live.contains(document.activeElement);
	live.innerHTML = shown = text;
	live.querySelector("details")?.toggleAttribute("open", open);
	if (focused) live.querySelector("summary")?.focus({ preventScroll: true });
	for (const value of live.querySelectorAll("[data-name]")) {
		if (before.size && before.get(value.dataset.name) !== value.textContent) value.classList.add("changed");
	}
	const unknown = live.querySelector("[role=alert]");
	if (!unknown && (live.querySelector("[data-ended]") || values().get("id") !== id)) end();
}

// end greys out the page of a session that was ended in another window.
function end() {
	clearInterval(timer);
	for (const section of document.querySelectorAll(".columns > section")) section.inert = true;
	for (const e of document.querySelectorAll("[data-alive]")) e.hidden = true;
	document.getElementById("ended").hidden = false;
}

const timer = id && !live.querySelector("[data-ended]") && setInterval(refresh, 2000);
