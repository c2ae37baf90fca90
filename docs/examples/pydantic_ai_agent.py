"""pydantic-ai through Pennyworth: an answer, a stream, a tool.

python pydantic_ai_agent.py http://127.0.0.1:8080/v1  # through a running gateway
python pydantic_ai_agent.py                           # in this process, without one
"""

import asyncio
import sys

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from pennyworth import Pennyworth

called = []


def weather(city: str) -> str:
    """The weather in a city."""
    called.append("weather")
    return "rain"


async def converse(client: AsyncOpenAI) -> None:
    model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(openai_client=client))
    agent = Agent(model)
    print("reply:", (await agent.run("What is an umbrella for?")).output)
    async with agent.run_stream("What is a raincoat for?") as stream:
        print("stream:", "".join([part async for part in stream.stream_text(delta=True)]))
    advised = await Agent(model, tools=[weather]).run("Shall I take an umbrella in Oslo?")
    print("tools:", called)
    print("after:", advised.output)


async def main() -> None:
    if sys.argv[1:]:
        await converse(AsyncOpenAI(base_url=sys.argv[1], api_key="any"))
    else:
        async with Pennyworth() as pw:
            await converse(AsyncOpenAI(http_client=pw.async_http_client(), api_key="unused"))
            print("saved:", pw.stats()["process"]["saved"]["usd"])


if __name__ == "__main__":
    asyncio.run(main())
