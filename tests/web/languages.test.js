// Amounts, counts and texts in every language, as the wallet's own module makes them; its files come from the disk.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const WEB = new URL("../../src/tikiwallet/web/", import.meta.url);
const page = { lang: "", dir: "" };
let wanted = ["en-US"];
Object.defineProperty(globalThis, "navigator", { value: { get languages() { return wanted; } }, configurable: true });
globalThis.document = { documentElement: page };
globalThis.fetch = async (path) => new Response(await readFile(new URL(path, WEB)));

const i18n = await import(new URL("i18n.js", WEB));
const { LANGUAGES, firstLanguage, formatDecimal, hasText, plainDigits, sentenceOfCode, speakLanguage, t, tCount } =
  i18n;
const speak = async (language, tags = [language]) => {
  wanted = tags;
  await speakLanguage(language);
};

test("the first language is the first of the phone's that the wallet speaks", () => {
  for (const [tags, language] of [
    [["pt-BR", "fr-SN", "en"], "fr"],
    [["sw-KE"], "sw"],
    [["zh-CN", "ja"], "en"],
    [[], "en"],
  ]) {
    wanted = tags;
    assert.equal(firstLanguage(), language);
  }
});

test("a page is turned the way of its language", async () => {
  await speak("ar");
  assert.deepEqual({ ...page }, { lang: "ar", dir: "rtl" });
  await speak("fr");
  assert.deepEqual({ ...page }, { lang: "fr", dir: "ltr" });
});

test("an unknown language is English", async () => {
  await speakLanguage("tlh");
  assert.equal(i18n.language.value, "en");
});

test("every number of things has a form of its own in every language", async () => {
  for (const language of Object.keys(LANGUAGES)) {
    await speak(language);
    const rules = new Intl.PluralRules(language);
    for (let count = 0; count <= 200; count += 1) {
      assert.ok(hasText(`order.seconds.${rules.select(count)}`), `${language} ${count}`);
      assert.ok(!tCount("order.seconds", count).includes("order.seconds"));
    }
  }
});

test("an amount is read as its language writes it, and never as another amount", async () => {
  for (const [language, typed, digits, minor] of [
    ["en", "12", 2, 1200],
    ["en", " 12.5 ", 2, 1250],
    ["en", "12,50", 2, 1250],
    ["en", "1,250.50", 2, 125050],
    ["en", "1 250,50", 2, 125050],
    ["en", "1.250", 2, null], // not thousands in English, and too fine for a cent
    ["en", "1,25,000", 0, 125000],
    ["en", "1,250", 3, 1250000],
    ["en", "1.250", 3, 1250],
    ["en", "12.505", 2, null],
    ["en", "1,2,3", 2, null],
    ["en", "1,250,5000", 2, null],
    ["en", "0", 2, null],
    ["en", "-5", 2, null],
    ["en", "5-", 2, null],
    ["en", "", 2, null],
    ["en", "9999999999999", 2, null],
    ["id", "50.000", 2, 5000000],
    ["id", "1.250.000,50", 2, 125000050],
    ["id", "12.50", 2, 1250],
    ["id", "50,000", 2, null],
    ["fr", "1\u202f250,50", 2, 125050],
    ["fr", "1 250,50", 2, 125050],
    ["en", "१२.५०", 2, 1250],
    ["en", "१,२५,०००.५०", 2, 12500050],
    ["sw", "1,250", 0, 1250],
    ["ar", "١٬٢٥٠٫٥٠", 2, 125050],
    ["ar", "1,250.50", 2, 125050],
    ["ar", "١٢٫٥٠٥", 2, null],
    ["hi", "१,२५,०००.५०", 2, 12500050],
    ["hi", "1,25,000.50", 2, 12500050],
    ["hi", "१२.५०५", 2, null],
    ["en", "١٢٫٥٠", 2, 1250],
    ["en", "١٬٢٥٠٫٥٠", 2, 125050],
    ["en", "۱۲٫۵", 2, 1250],
    ["en", "12،5", 2, 1250],
    ["en", "12.50", 2, 1250],
  ]) {
    await speak(language);
    assert.equal(i18n.toMinor(typed, digits), minor, `${language} “${typed}” with ${digits} digits`);
  }
});

test("an amount that was written can be typed again in every language and region", async () => {
  const regions = ["en-IN", "fr-CH", "fr-SN", "sw-KE", "id-ID", "ar-EG", "ar-MA", "hi-IN"];
  for (const tag of [...Object.keys(LANGUAGES), ...regions]) {
    await speak(tag.split("-")[0], [tag]);
    for (const [minor, digits] of [[1, 2], [1250, 2], [123456789, 2], [5000000, 0], [1250, 0]]) {
      assert.equal(i18n.toMinor(formatDecimal(minor, digits), digits), minor, `${tag} ${formatDecimal(minor, digits)}`);
    }
  }
});

test("digits of any script are digits", () => {
  assert.equal(plainDigits("+٩٦٦ ۵۱ १२3"), "+966 51 123");
});

test("a name keeps its own direction inside a text that runs from right to left", async () => {
  await speak("ar");
  assert.ok(t("activity.paid", { name: "asha_1" }).includes("\u2068asha_1\u2069"));
  await speak("sw");
  assert.ok(!t("activity.paid", { name: "asha_1" }).includes("\u2068"));
});

test("a code that only a newer server knows is said in English to English readers alone", async () => {
  await speak("en");
  assert.equal(sentenceOfCode("moon_is_full", "Wait for the new moon."), "Wait for the new moon.");
  await speak("sw");
  const said = sentenceOfCode("moon_is_full", "Wait for the new moon.");
  assert.ok(said.includes("moon_is_full") && !said.includes("Wait"));
  assert.equal(sentenceOfCode("code_wrong", "This isn't the code that we sent."), t("code.code_wrong"));
});
