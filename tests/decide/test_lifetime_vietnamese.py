"""Which class a Vietnamese question falls into, also where its tone marks are written apart or left out."""

from __future__ import annotations

import unicodedata

import pytest

from pennyworth.decide.lifetime import classify, compile_rules
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES

RULES = compile_rules(DEFAULT_LIFETIMES, "other")

QUESTIONS = {
    "realtime": [
        "Giá vàng là bao nhiêu?",
        "Giá vé từ Hà Nội đến Đà Nẵng là bao nhiêu?",
        "Chiếc điện thoại này bao nhiêu tiền?",
        "Thời tiết ở Huế thế nào?",
        "Hôm nay trời có mưa không?",
        "Bây giờ là mấy giờ?",
        "Mấy giờ rồi?",
        "Hôm nay là thứ mấy?",
        "Tỷ giá USD là bao nhiêu?",
        "Cổ phiếu Vinamilk đang thế nào?",
        "Tin tức mới về bão",
        "Tối nay có phim gì?",
        "Tình hình giao thông ở cầu Sài Gòn ra sao?",
        "Còn vé xem phim không?",
        "gia vang hom nay",
        "thoi tiet ha noi",
    ],
    "factual": [
        "Tổng thống Mỹ là ai?",
        "Ai là thủ tướng Nhật Bản?",
        "Phiên bản mới nhất của Python là gì?",
        "Ai đang là giám đốc của công ty Apple?",
        "Hiện nay có bao nhiêu nước trong ASEAN?",
        "Lãi suất ngân hàng là bao nhiêu?",
        "iPhone mới khi nào ra mắt?",
        "Người giàu nhất thế giới là ai?",
        "Ngày mai có chuyến bay nào đi Huế?",
        "Bảng xếp hạng V-League",
        "Tổng bí thư đương nhiệm",
        "phien ban moi nhat cua Android",
    ],
    "opinion": [
        "Bạn nghĩ gì về làm việc từ xa?",
        "Tôi có nên mua xe điện không?",
        "Quán phở ngon nhất ở Hà Nội là quán nào?",
        "Gợi ý cho tôi vài cuốn sách",
        "Nên học tiếng Pháp hay tiếng Đức?",
        "Ưu nhược điểm của thuê nhà là gì?",
        "Theo bạn cái nào tốt hơn?",
    ],
    "code": [
        "Viết hàm lấy ngày hôm nay trong Python",
        "Cách đảo ngược danh sách trong Python",
        "Thuật toán sắp xếp nhanh hoạt động thế nào?",
        "API thời tiết là gì?",
        "Đệ quy là gì?",
        "Lỗi cú pháp trong JavaScript này là gì?",
        "Viết chương trình tính tổng giá",
        "Biểu thức chính quy cho địa chỉ email",
    ],
    "static": [
        "Chính sách hoàn tiền là gì?",
        "Chính sách giá của các bạn thế nào?",
        "Điều khoản sử dụng ở đâu?",
        "Bảo hành bao lâu?",
        "Quy định về hành lý là gì?",
        "Giới thiệu về công ty",
        "Trụ sở của các bạn ở đâu?",
        "Bạn là ai?",
        "chinh sach doi tra",
    ],
    "other": [
        "Làm thế nào để mở tài khoản?",
        "Quang hợp là gì?",
        "Bây giờ tôi đã có thẻ, kích hoạt thế nào?",
        "Cổ phiếu là gì?",
        "Tỷ giá hối đoái là gì?",
        "Dịch sang tiếng Anh: hôm nay trời đẹp",
        "Tổng thống đầu tiên của Mỹ là ai?",
        "Các chuyến bay từ Hà Nội đến Rạch Giá",
        "Vì sao giá nhà tăng?",
        "Giá trị của x là gì nếu x + 2 = 5",
        "Chính sách tiền tệ là gì?",
        "xin chào",
    ],
}


@pytest.mark.parametrize(
    ("question", "kind"), [(question, kind) for kind, questions in QUESTIONS.items() for question in questions]
)
def test_a_question_falls_into_its_class(question: str, kind: str) -> None:
    assert classify(question, RULES).name == kind


def test_tone_marks_written_apart_make_no_difference() -> None:
    apart = unicodedata.normalize("NFD", "Giá vàng là bao nhiêu?")
    assert classify(apart, RULES).name == "realtime"
