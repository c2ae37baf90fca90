"""Which class an English question falls into, the traps first in mind."""

from __future__ import annotations

import pytest

from pennyworth.decide.lifetime import classify, compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES

RULES = compile_rules(DEFAULT_LIFETIMES, "other")

QUESTIONS = {
    "realtime": [
        "What is the price of gold?",
        "What is the current price of Bitcoin?",
        "How much does an iPhone cost?",
        "Tesla stock price",
        "How is Apple stock doing?",
        "Is the blue jacket in stock?",
        "What's the exchange rate from USD to EUR?",
        "How many yen is one dollar?",
        "how much is the us dollar worth in canada",
        "What is the weather in Hanoi?",
        "Will it rain tomorrow in London?",
        "Do I need an umbrella today?",
        "what time is it in tokyo",
        "What is today's date?",
        "What day is it?",
        "What is happening in the world right now?",
        "Which shops are open now?",
        "What's on TV tonight?",
        "Show me the latest news about the election",
        "Who is winning the match?",
        "How is the traffic on the A1?",
        "Is GitHub down?",
        "Now that it is winter, what is the weather like in Oslo?",
        "I bought shares yesterday. What is the share price today?",
        "Summarise today's news",
        "WHAT IS THE WEATHER TODAY",
    ],
    "factual": [
        "Who is the president of France?",
        "Who is the CEO of Microsoft?",
        "What is the latest version of Python?",
        "What's the current version of Node.js?",
        "Who currently holds the world record in the marathon?",
        "Who is the richest person in the world?",
        "When is the next election in Germany?",
        "What are the recent developments in fusion energy?",
        "What is the inflation rate in Japan?",
        "Which countries do you currently support?",
        "What events are there in Berlin this weekend?",
        "Is the queen of Denmark still alive?",
        "Who runs the World Bank?",
        "How do I install the latest release of Ubuntu?",
    ],
    "opinion": [
        "What do you think about remote work?",
        "Which is better, tea or coffee?",
        "What is the best book on statistics?",
        "Can you recommend a film?",
        "Should I learn Spanish or French?",
        "Is it worth buying an electric car?",
        "What are the pros and cons of renting?",
        "What is your favourite colour?",
    ],
    "code": [
        "today's date format in Python",
        "How do I get today's date in JavaScript?",
        "What is the weather API?",
        "Write a function that returns the latest price from a list",
        "How do I reverse a list in Python?",
        "Why do I get TypeError: unsupported operand?",
        "What does git rebase do to a branch? git rebase -i",
        "Explain the time complexity of quicksort",
        "What is the best way to sort a dict in Python?",
        "SELECT name FROM users WHERE id = 1 is slow, why?",
        "Fix this:\n```\nprint(now)\n```",
        "Write a regex for an e-mail address",
    ],
    "static": [
        "What is your refund policy?",
        "Explain your price policy",
        "Do you have a pricing policy for students?",
        "What are your terms of service?",
        "Where can I read the terms and conditions?",
        "Please explain your exchange rate policy.",
        "Tell me about your company",
        "How long is the warranty?",
        "Who are you?",
        "Where are you based?",
    ],
    "other": [
        "Now that I have my card, how do I activate it?",
        "How do I open a current account?",
        "What is a current account?",
        "I am still waiting on my card",
        "From now on, answer in French",
        "The exchange rate was wrong for my cash withdrawal",
        "My current address has changed, how do I tell you?",
        "I went to the ATM today and it swallowed my card",
        "What do I do now?",
        "Translate to French: what is the weather today?",
        "Rewrite this sentence: the price of gold fell today",
        "Who was the first president of the United States?",
        "Who is the 44th president of the United States?",
        "What is photosynthesis?",
        "What is an alternating current?",
        "Why do house prices rise when interest falls?",
        "How does the stock market work?",
        "How do I make chicken stock?",
        "I have been under the weather",
        "What is the difference between weather and climate?",
        "How do I increase traffic to my website?",
        "What does a red traffic light mean?",
        "What is my PIN code?",
        "In terms of cost, which currencies do you hold?",
        "What was the foreign policy of Bismarck?",
        "hello",
        "",
    ],
}


@pytest.mark.parametrize(
    ("question", "kind"), [(question, kind) for kind, questions in QUESTIONS.items() for question in questions]
)
def test_a_question_falls_into_its_class(question: str, kind: str) -> None:
    assert classify(question, RULES).name == kind
