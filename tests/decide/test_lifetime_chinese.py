"""Which class a Chinese question falls into, simplified and traditional."""

from __future__ import annotations

import pytest

from pennyworth.decide.lifetime import classify, compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES

RULES = compile_rules(DEFAULT_LIFETIMES, "other")

QUESTIONS = {
    "realtime": [
        "今天北京的天气怎么样？",
        "今天天氣如何？",
        "现在几点了？",
        "苹果公司的股价是多少？",
        "黄金价格多少？",
        "这部手机多少钱？",
        "美元兑人民币的汇率是多少？",
        "100美元等于多少人民币？",
        "明天会不会下雨？",
        "今晚有什么比赛？",
        "最新的新闻有哪些？",
        "湖人队比分是多少？",
        "三环路堵车吗？",
        "这款鞋还有货吗？",
        "今天星期几？",
        "上证指数是多少点？",
        "我想知道现在的天气",
        "查一下航班动态",
        "現在股市行情如何？",
    ],
    "factual": [
        "美国总统是谁？",
        "谁是法国现任总统？",
        "联合国秘书长是谁？",
        "Python的最新版本是什么？",
        "iPhone的新款什么时候发布？",
        "世界首富是谁？",
        "成龙最新的电影是什么？",
        "目前有哪些国家加入了欧盟？",
        "下一届世界杯在哪里举办？",
        "日本首相是谁",
        "微軟的執行長 CEO 是誰？",
        "男子百米世界纪录是多少？",
        "昨晚的地震有多大？",
    ],
    "opinion": [
        "你觉得远程办公怎么样？",
        "推荐几本好看的小说",
        "哪个牌子的空调好？",
        "这台电脑值得买吗？",
        "学法语好还是学德语好？",
        "去北京旅游的最佳季节是什么时候？",
        "电动车的优缺点是什么？",
        "你怎麼看人工智慧？",
    ],
    "code": [
        "用Python写一个获取今天日期的函数",
        "写一段代码计算价格总和",
        "什么是二叉树的递归算法？",
        "SQL语句怎么写才能按日期排序",
        "这个报错是什么意思：NullPointerException",
        "正则表达式怎么匹配手机号？",
        "Java里怎么把字符串转成整数？",
        "如何编译这个项目？",
    ],
    "static": [
        "你们的退款政策是什么？",
        "请介绍一下你们的隐私政策",
        "价格政策是怎样的？",
        "服务条款在哪里看？",
        "保修期是多长？",
        "关于我们",
        "用户协议的内容是什么？",
        "公司的总部在哪里？",
        "退貨規則是什麼？",
        "你是谁？",
    ],
    "other": [
        "怎么开通银行账户？",
        "光合作用是什么？",
        "我现在收到卡了，如何激活？",
        "我今天去取款机取钱，卡被吞了",
        "什么是股票？",
        "什么是汇率？",
        "请翻译成英文：今天天气真好",
        "中国第一任总统是谁？",
        "从现在开始请用英文回答",
        "天气预报接口是什么意思",
        "为什么房价会上涨？",
        "货币政策是什么意思？",
        "验证码收不到",
        "你好",
    ],
}


@pytest.mark.parametrize(
    ("question", "kind"), [(question, kind) for kind, questions in QUESTIONS.items() for question in questions]
)
def test_a_question_falls_into_its_class(question: str, kind: str) -> None:
    assert classify(question, RULES).name == kind
