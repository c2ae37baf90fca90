"""LangChain through Pennyworth: a reply, a stream, a tool.

python langchain_chat.py http://127.0.0.1:8080/v1     # through a running gateway
python langchain_chat.py                              # in this process, without one
"""

import sys

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from pennyworth import Pennyworth


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return "rain"


def converse(model: ChatOpenAI) -> None:
    print("reply:", model.invoke("What is an umbrella for?").content)
    print("stream:", "".join(str(chunk.content) for chunk in model.stream("What is a raincoat for?")))
    question = HumanMessage("Shall I take an umbrella in Oslo?")
    wish = model.bind_tools([weather]).invoke([question])
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in wish.tool_calls]
    print("tools:", [call["name"] for call in wish.tool_calls])
    print("after:", model.bind_tools([weather]).invoke([question, wish, *results]).content)


if __name__ == "__main__":
    if sys.argv[1:]:
        converse(ChatOpenAI(model="gpt-4o-mini", base_url=sys.argv[1], api_key="any"))
    else:
        with Pennyworth() as pw:
            clients = {"http_client": pw.http_client(), "http_async_client": pw.async_http_client()}
            converse(ChatOpenAI(model="gpt-4o-mini", api_key="unused", **clients))
            print("saved:", pw.stats()["process"]["saved"]["usd"])
